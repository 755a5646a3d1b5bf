"""Assembly: composition root, command line, web, worker; nothing imports it."""
