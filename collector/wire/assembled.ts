// What scripts/assemble.js has made of a part that is written in AssemblyScript.

export interface Assembly {
  readonly memory: { readonly buffer: ArrayBuffer };
}

export class Assembled<Exports extends Assembly> {
  readonly #binary: string;
  #module: object | undefined;

  constructor(binary: string) {
    this.#binary = binary;
  }

  /** With a memory of its own; compiled for the first one only. */
  instance(imports: object = {}): Exports {
    this.#module ??= new WebAssembly.Module(Buffer.from(this.#binary, "base64"));
    // What a module has is known to its compiler only.
    return new WebAssembly.Instance(this.#module, imports).exports as Exports;
  }
}

/** What Node has of it, but its types do not. */
declare const WebAssembly: {
  readonly Module: new (binary: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
};
