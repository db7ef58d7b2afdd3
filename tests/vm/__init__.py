"""The virtual machine of `make test-vm`, and the tests that only make sense in it."""
