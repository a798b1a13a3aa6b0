#!/bin/sh
for stream in txsocketio.events txsocketio.sessions; do
    rabbitmqctl eval "rabbit_amqqueue:internal_delete(rabbit_misc:r(<<\"/\">>, queue, <<\"$stream\">>), <<\"operator\">>)."
done
