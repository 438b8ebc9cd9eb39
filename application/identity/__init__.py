"""Who somebody is and what they may try: accounts, keys, devices, limits of tries."""
