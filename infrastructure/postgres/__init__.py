"""The database itself: connections, migrations, its clock, whether it stands."""
