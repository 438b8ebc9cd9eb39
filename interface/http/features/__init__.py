"""The routes of a feature: commands, reading, forks, estimates, what is delivered."""
