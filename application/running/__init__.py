"""How work shares a process and says that it goes on: turns, places, heartbeats, outages."""
