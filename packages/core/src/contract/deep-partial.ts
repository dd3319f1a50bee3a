/** The same with everything optional, at any depth: data that is still being written. */
export type DeepPartial<Data> = Data extends readonly (infer Item)[]
  ? DeepPartial<Item>[]
  : Data extends object
    ? { [Key in keyof Data]?: DeepPartial<Data[Key]> }
    : Data
