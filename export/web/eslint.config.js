import js from "@eslint/js";
import { globalIgnores, defineConfig } from "eslint/config";
import typescript from "typescript-eslint";

export default defineConfig(
  globalIgnores(["node_modules"]),
  js.configs.recommended,
  {
    files: ["**/*.ts"],
    extends: [typescript.configs.strictTypeChecked, typescript.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { project: "./tsconfig.json" } },
    rules: {
      "@typescript-eslint/no-non-null-assertion": "off", // of numbers in arrays, whose bounds the loops keep
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true }],
      "no-restricted-properties": [
        "error",
        { property: "innerHTML", message: "texts of strangers go in by textContent" },
        { property: "outerHTML", message: "texts of strangers go in by textContent" },
        { property: "insertAdjacentHTML", message: "texts of strangers go in by textContent" },
      ],
    },
  },
  {
    files: ["*.mjs", "*.js"],
    languageOptions: { globals: { console: "readonly", process: "readonly" } },
    rules: { "no-control-regex": "off" },
  },
);
