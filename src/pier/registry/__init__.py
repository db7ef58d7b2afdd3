"""Client of the OCI distribution protocol: authentication, manifests, blobs."""
