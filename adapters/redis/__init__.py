"""Redis and Valkey: publish/subscribe as Node.js does it, sharded or not, and streams that are read again."""
