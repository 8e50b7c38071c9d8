"""The ``.nvdla`` loadable: container, descriptors, reading, checking, writing."""
