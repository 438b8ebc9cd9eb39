"""What reads answer with: rows, texts of events beside them, and versions of the past."""
