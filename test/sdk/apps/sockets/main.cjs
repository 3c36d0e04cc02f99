const { WebSocket, WebSocketServer } = require("ws");
const { Server } = require("socket.io");
const { io } = require("socket.io-client");

void require("./app.cjs")({ WebSocket, WebSocketServer, Server, io });
