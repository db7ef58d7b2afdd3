"""The version of the runtime-spec that Pier speaks, apart from the types, so that the command line needs no decoder."""

OCI_VERSION = "1.2.0"
