"""Words shared by every floor: errors, names, references, wire and OCI types. Pure."""
