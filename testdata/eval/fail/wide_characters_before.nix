{ text = "日本語" + "é" + 1; }.text
