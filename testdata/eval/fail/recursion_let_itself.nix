let version = "1"; in let version = version + ".0"; in version
