"""Kafka: `broker.py` is how servers use it, `client.py` and what lies below knows nothing of Socket.IO."""
