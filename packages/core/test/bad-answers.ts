export interface BadAnswer {
  name: string
  /** Undefined: this fault cannot happen to such JSON. */
  write(json: string): string | undefined
  rawFinishReason?: string
  /** The rule that is reported where nothing can be made of it. Absent: the data are found. */
  rule?: string
}

const objectsOnly = (change: (json: string) => string) => (json: string) => {
  const changed = /^[[{]/.test(json) ? change(json) : undefined
  return changed === json ? undefined : changed
}
/** Only what stands outside strings: those of the table hold no quotes. */
const outsideStrings = (change: (code: string) => string) => (json: string) =>
  json
    .split('"')
    .map((part, index) => (index % 2 === 0 ? change(part) : part))
    .join('"')

/** What local models write when they are asked for JSON. */
export const BAD_ANSWERS: readonly BadAnswer[] = [
  { name: 'white space around', write: (json) => `\n\n  ${json}  \n` },
  { name: 'a byte order mark', write: (json) => `\uFEFF${json}` },
  { name: 'a fence', write: (json) => `\`\`\`json\n${json}\n\`\`\`` },
  { name: 'a fence without a language', write: (json) => `\`\`\`\n${json}\n\`\`\`` },
  { name: 'a fence that is never closed', write: objectsOnly((json) => `\`\`\`json\n${json}\n`) },
  { name: 'prose before', write: objectsOnly((json) => `Sure! Here is the JSON:\n${json}`) },
  { name: 'prose after', write: objectsOnly((json) => `${json}\n\nLet me know if you need more.`) },
  {
    name: 'prose with a fence',
    write: (json) => `Of course:\n\`\`\`json\n${json}\n\`\`\`\nHope that helps!`,
  },
  {
    name: 'prose with brackets before',
    write: objectsOnly((json) => `As asked (see [1]) it is {very} short: ${json}`),
  },
  { name: 'thoughts with a draft', write: (json) => `<think>Maybe {"a": 1}? No.</think>\n${json}` },
  {
    name: 'a trailing comma',
    write: objectsOnly((json) => (/^(\[\]|\{\})$/.test(json) ? json : json.replace(/([\]}])$/, ',$1'))),
  },
  { name: 'single quotes', write: objectsOnly((json) => json.replaceAll('"', "'")) },
  { name: 'curly quotes', write: objectsOnly((json) => json.replaceAll(/"([^"]*)"/g, '“$1”')) },
  { name: 'names without quotes', write: objectsOnly((json) => json.replaceAll(/"([a-z]\w*)":/g, '$1:')) },
  { name: 'a comment', write: objectsOnly((json) => json.replace(/^(.)/, '$1 // as asked\n')) },
  {
    name: 'words of Python',
    write: objectsOnly(
      outsideStrings((code) =>
        code.replaceAll('true', 'True').replaceAll('false', 'False').replaceAll('null', 'None'),
      ),
    ),
  },
  {
    name: 'line breaks between',
    write: objectsOnly(outsideStrings((code) => code.replaceAll(',', ',\n\t').replaceAll(':', ' :  '))),
  },
  // Whether something was to follow, a schema of a list or an object cannot tell.
  {
    name: 'a bracket too few at the end',
    write: objectsOnly((json) => json.slice(0, -1)),
    rule: 'incomplete',
  },
  {
    name: 'a bracket too few in a fence',
    write: objectsOnly((json) => `\`\`\`json\n${json.slice(0, -1)}\n\`\`\``),
  },
  { name: 'a draft before thoughts end', write: (json) => `Maybe {"a": 1} or [1\n</think>\n${json}` },
  { name: 'JSON in a string', write: objectsOnly((json) => JSON.stringify(json)) },
  { name: 'a whole answer that ended for length', write: (json) => json, rawFinishReason: 'length' },
  {
    name: 'an answer cut off for length',
    write: objectsOnly((json) => json.slice(0, -1)),
    rawFinishReason: 'length',
    rule: 'incomplete',
  },
  {
    name: 'a fenced answer cut off for length',
    write: objectsOnly((json) => `\`\`\`json\n${json.slice(0, -1)}`),
    rawFinishReason: 'length',
    rule: 'incomplete',
  },
  { name: 'no answer', write: () => '', rule: 'json' },
  { name: 'a refusal', write: () => 'I am sorry, but I cannot help with that.', rule: 'json' },
]
