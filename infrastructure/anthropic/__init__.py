"""The model's client: requests, streamed answers, errors in our own terms."""
