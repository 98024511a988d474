"port ${80}"
