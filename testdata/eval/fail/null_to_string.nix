let config = { port = null; }; in "port=${config.port}"
