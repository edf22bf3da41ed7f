// One JSON value in, one out.

import { text } from "node:stream/consumers";

export const input = async () => JSON.parse(await text(process.stdin));

export const told = (value) => process.stdout.write(JSON.stringify(value) + "\n");
