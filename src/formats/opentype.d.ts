/** The part of opentype.js that is used: it comes without types. */
declare module 'opentype.js' {
  namespace opentype {
    /** A step of an outline: M, L, Q and C end at (x, y) and pass by one or two points before; Z closes. */
    interface Step {
      readonly type: 'M' | 'L' | 'Q' | 'C' | 'Z';
      readonly x?: number;
      readonly y?: number;
      readonly x1?: number;
      readonly y1?: number;
      readonly x2?: number;
      readonly y2?: number;
    }
    interface Glyph {
      readonly advanceWidth: number;
      getPath(x: number, y: number, size: number): { readonly commands: readonly Step[] };
    }
    interface Font {
      readonly unitsPerEm: number;
      charToGlyph(character: string): Glyph;
    }
    function parse(font: ArrayBuffer): Font;
  }
  export = opentype;
}
