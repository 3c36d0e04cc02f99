import express from "express";
import { get } from "node:http";
import pino from "pino";
import * as undici from "undici";
import winston from "winston";
import serve from "./app.cjs";

serve({ express, http: { get }, pino, winston, undici });
