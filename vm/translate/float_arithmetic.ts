/** Arithmetic of binary64 and binary32 as functions of an emitted module: see `float_functions.ts`. */
import { FFlag } from "../isa/rounding.ts";
import {
  asDouble,
  BINARY,
  type FloatLibrary,
  GIVE_UP,
  NARROW,
  NEAREST_ONLY,
  PRODUCT_LOCALS,
  productError,
  raise,
  raiseIfInexact,
  SAFE,
  SHAPES,
  sumError,
  within,
  XY,
  xy,
} from "./float_code.ts";
import type { Variables } from "./stack_code.ts";
import { F64, I32, I64 } from "./wasm.ts";

export function addDouble(library: FloatLibrary): void {
  const result = (operation: string) => `${xy("d")} x y ${operation} s= s i64.reinterpret_f64 r= ${NEAREST_ONLY}`;
  const special = "a b r @special2.d";
  // A sum that is subnormal is exact; below 2^1022 no step of 2Sum overflows.
  library.add(
    "fadd.d",
    BINARY,
    I64,
    XY,
    `${result("f64.add")}
     s f64.abs 2^1022 f64.lt if ${raiseIfInexact(`${sumError("x", "y", "s")} 0.0 f64.ne`)} r return end
     ${special}`,
  );
  library.add("fsub.d", BINARY, I64, {}, `a b ${SHAPES.d.sign} i64.xor mode @fadd.d`);
  const factors = `${within("x", ...SAFE)} ${within("y", ...SAFE)} i32.and ${within("s", ...SAFE)} i32.and`;
  library.add(
    "fmul.d",
    BINARY,
    I64,
    { ...XY, ...PRODUCT_LOCALS },
    `${result("f64.mul")}
     ${within("s", "2^-1021", "2^1023")} @inexact i32.and if r return end
     ${factors} if ${productError("x", "y", "s")} 0.0 f64.ne if ${raise(FFlag.NX)} end r return end
     s 0.0 f64.eq x 0.0 f64.eq y 0.0 f64.eq i32.or i32.and if r return end
     ${special}`,
  );
  library.add(
    "fdiv.d",
    BINARY,
    I64,
    { ...XY, ...PRODUCT_LOCALS, p: F64 },
    `${result("f64.div")}
     ${within("s", "2^-1021", "2^1023")} @inexact i32.and if r return end
     ${factors} if
       s y f64.mul p=
       p x f64.ne ${productError("s", "y", "p")} 0.0 f64.ne i32.or if ${raise(FFlag.NX)} end r return
     end
     s 0.0 f64.eq x 0.0 f64.eq i32.and if r return end
     y 0.0 f64.eq ${within("x", "0.0", "Infinity")} i32.and if ${raise(FFlag.DZ)} r return end
     ${special}`,
  );
  library.add(
    "fsqrt.d",
    { a: I64, mode: I32 },
    I64,
    { ...XY, ...PRODUCT_LOCALS, p: F64 },
    `${asDouble("a", "d")} x= x f64.sqrt s= s i64.reinterpret_f64 r= ${NEAREST_ONLY}
     x 0.0 f64.gt x Infinity f64.lt i32.and @inexact i32.and if r return end
     x 2^-900 f64.gt x 2^990 f64.lt i32.and if
       s s f64.mul p=
       p x f64.ne ${productError("s", "s", "p")} 0.0 f64.ne i32.or if ${raise(FFlag.NX)} end r return
     end
     x 0.0 f64.eq if a return end
     a a r @special2.d`,
  );
  const odd = `v i64.reinterpret_f64 vb= vb 1L i64.and i64.eqz w 0.0 f64.ne i32.and if
       vb  1L -1L  w 0.0 f64.gt v 0.0 f64.gt i32.eq select  i64.add f64.reinterpret_i64 v=
     end`;
  library.add(
    "fma.d",
    { a: I64, b: I64, c: I64, mode: I32 },
    I64,
    { ...XY, ...PRODUCT_LOCALS, z: F64, p: F64, e: F64, uh: F64, ul: F64, th: F64, tl: F64, v: F64, w: F64, vb: I64 },
    `${xy("d")} ${asDouble("c", "d")} z= x y f64.mul p= ${NEAREST_ONLY}
     ${within("p", "2^-800", "2^990")} ${within("z", "2^-800", "2^990")} i32.and
     ${within("x", ...SAFE)} i32.and ${within("y", ...SAFE)} i32.and if
       ${productError("x", "y", "p")} e=
       z e f64.add uh= ${sumError("z", "e", "uh")} ul=
       p uh f64.add th= ${sumError("p", "uh", "th")} tl=
       tl ul f64.add v= ${sumError("tl", "ul", "v")} w=
       ${odd}
       th v f64.add s=
       ${raiseIfInexact(`w 0.0 f64.ne ${sumError("th", "v", "s")} 0.0 f64.ne i32.or`)}
       s i64.reinterpret_f64 return
     end
     p 0.0 f64.eq x 0.0 f64.eq y 0.0 f64.eq i32.or i32.and if p i64.reinterpret_f64 c 0i @fadd.d return end
     z 0.0 f64.eq p 0.0 f64.ne i32.and p f64.abs Infinity f64.lt i32.and if a b 0i @fmul.d return end
     z f64.abs Infinity f64.eq x f64.abs Infinity f64.lt i32.and y f64.abs Infinity f64.lt i32.and if c return end
     a b c p z f64.add i64.reinterpret_f64 @special3.d`,
  );
}

export function addSingle(library: FloatLibrary): void {
  const shapeS = SHAPES.s;
  const locals: Variables = { ...XY, q: F64 };
  const result = (operation: string) => `${xy("s")} x y ${operation} s= ${NARROW} ${NEAREST_ONLY}`;
  const finite = `q f64.abs Infinity f64.lt`;
  // Above the least normal number nothing is tiny, whatever was rounded.
  const normal = `${within("q", "2^-126", "Infinity")}`;
  const special = "a b r @special2.s";
  library.add(
    "fadd.s",
    BINARY,
    I64,
    locals,
    `${result("f64.add")}
     ${finite} if ${raiseIfInexact(`q s f64.ne ${sumError("x", "y", "s")} 0.0 f64.ne i32.or`)} r return end
     ${special}`,
  );
  library.add("fsub.s", BINARY, I64, {}, `a b ${shapeS.sign} i64.xor mode @fadd.s`);
  library.add(
    "fmul.s",
    BINARY,
    I64,
    locals,
    `${result("f64.mul")}
     q s f64.eq ${finite} i32.and if r return end
     ${normal} if ${raise(FFlag.NX)} r return end
     ${special}`,
  );
  library.add(
    "fdiv.s",
    BINARY,
    I64,
    locals,
    `${result("f64.div")}
     ${normal} if ${raiseIfInexact("q y f64.mul x f64.ne")} r return end
     s 0.0 f64.eq x 0.0 f64.eq i32.and if r return end
     y 0.0 f64.eq ${within("x", "0.0", "Infinity")} i32.and if ${raise(FFlag.DZ)} r return end
     ${special}`,
  );
  library.add(
    "fsqrt.s",
    { a: I64, mode: I32 },
    I64,
    locals,
    `${asDouble("a", "s")} x= x f64.sqrt s= ${NARROW} ${NEAREST_ONLY}
     ${normal} if ${raiseIfInexact("q q f64.mul x f64.ne")} r return end
     x 0.0 f64.eq if a return end
     a a r @special2.s`,
  );
  library.add(
    "fma.s",
    { a: I64, b: I64, c: I64, mode: I32 },
    I64,
    { ...locals, z: F64, p: F64, e: F64, sb: I64 },
    `${xy("s")} ${asDouble("c", "s")} z= x y f64.mul p= p z f64.add s= ${NEAREST_ONLY}
     s f64.abs Infinity f64.lt if
       ${sumError("p", "z", "s")} e=
       e 0.0 f64.ne if
         s i64.reinterpret_f64 sb= sb 1L i64.and i64.eqz if
           sb 1L -1L  e 0.0 f64.gt s 0.0 f64.gt i32.eq select i64.add f64.reinterpret_i64 s=
         end
       end
       ${NARROW}
       ${normal} q s f64.eq e 0.0 f64.eq i32.and i32.or ${finite} i32.and if
         q s f64.ne e 0.0 f64.ne i32.or if ${raise(FFlag.NX)} end
         r return
       end
       ${GIVE_UP}
     end
     ${NARROW} a b c r @special3.s`,
  );
}
