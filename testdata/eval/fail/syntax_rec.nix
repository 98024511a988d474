{ a = rec b; c = rec; d = rec [ ]; }
