// The web app in TypeScript, with more in it than JavaScript has. Run by tsx and by Node itself.
import express from "express";
import { get } from "node:http";
import pino from "pino";
import * as undici from "undici";
import winston from "winston";

interface Parts {
  readonly http: { readonly get: typeof get };
  readonly [name: string]: unknown;
}

const app: string = "../web/app.cjs";
const { default: serve } = (await import(app)) as { default: (parts: Parts) => void };
serve({ express, http: { get }, pino, winston, undici } satisfies Parts);
