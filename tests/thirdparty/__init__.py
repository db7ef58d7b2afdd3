"""Other people's tests of their libraries, run as they are against both engines: `make test-thirdparty`."""
