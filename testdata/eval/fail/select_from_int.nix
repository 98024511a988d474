let config = { port = 80; }; in config.port.number
