import { describe, expect, it } from "vitest";
import { z } from "zod";
import { isSecret, secret } from "../../../collector/config/fields.ts";

describe("a setting is secret", () => {
  it("when its schema says so, whatever is wrapped around it", () => {
    expect(isSecret("cookie", secret(z.string()))).toBe(true);
    expect(isSecret("cookie", secret(z.string()).optional())).toBe(true);
    expect(isSecret("cookie", secret(z.string()).default("x").readonly())).toBe(true);
    expect(isSecret("cookie", z.string().optional())).toBe(false);
  });

  it("when its name says so, even if the schema forgot", () => {
    for (const name of ["password", "api_key", "auth_token", "client_secret", "headers"]) {
      expect(isSecret(name, z.string())).toBe(true);
    }
    expect(isSecret("keys_file", z.string())).toBe(false);
  });
});
