/** A type of TypeScript as JSON has it: members of enumerations are their texts. */
export type Plain<T> = T extends string
    ? `${T}`
    : T extends (infer Each)[]
      ? Plain<Each>[]
      : T extends object
        ? { [Key in keyof T]: Plain<T[Key]> }
        : T;
