"""A container's output as it is kept: `docker logs`, and the backlog that an attach with logs=1 asks for."""
