"use strict";
const { connect, fact, run } = require("./driver");

run(async () => {
  const socket = await connect("/guarded");
  const answers = [];
  const slow = socket.emitWithAck("slow", 1).then((value) => answers.push(value));
  const quick = socket.emitWithAck("quick", 2).then((value) => answers.push(value));
  const refused = socket.timeout(300).emitWithAck("forbidden").catch((error) => error.message);
  await Promise.all([slow, quick]);
  fact("order", answers);
  fact("refused", await refused);
  fact("log", await socket.emitWithAck("log"));
});
