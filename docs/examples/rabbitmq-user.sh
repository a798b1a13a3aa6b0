rabbitmqctl add_vhost chat
rabbitmqctl add_user chat secret
rabbitmqctl set_permissions -p chat chat '^txsocketio($|\.)|^amq\.gen' '^txsocketio($|\.)|^amq\.(gen|default)' '^txsocketio($|\.)|^amq\.gen'
