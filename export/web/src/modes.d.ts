/** The modes of src/modes; build.mjs makes this module by listing them. */
declare module "modes" {
  export const modes: readonly import("./mode.ts").Mode[];
}
