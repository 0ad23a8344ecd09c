/** Begins: the poster is on the screen already; opens the files of the page, and shows the first mode that opens them. */

import { begin } from "./page/shell.ts";

void begin();
