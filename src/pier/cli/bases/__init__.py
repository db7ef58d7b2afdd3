"""Root file systems of base images, made on the client's machine; `commands/bootstrap.py` imports them."""
