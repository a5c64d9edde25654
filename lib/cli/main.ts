#!/usr/bin/env node
import { runCommand } from "./command.js";

process.exitCode = await runCommand(process.argv.slice(2));
if (process.exitCode === 130) process.stdin.destroy(); // what was waited for there may never come
