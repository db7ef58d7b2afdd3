"""The only writer under the data root: records, blobs, layers, paths."""
