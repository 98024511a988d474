let config = { user = null; }; in config.user.name
