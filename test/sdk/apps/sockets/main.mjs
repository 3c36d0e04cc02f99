import { Server } from "socket.io";
import { io } from "socket.io-client";
import { WebSocket, WebSocketServer } from "ws";
import run from "./app.cjs";

await run({ WebSocket, WebSocketServer, Server, io });
