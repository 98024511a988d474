{ a = versoin; }
