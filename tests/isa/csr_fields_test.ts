import { assert, assertEquals } from "@std/assert";
import { csrFields, csrText } from "../../vm/isa/csr_fields.ts";
import { csrNumber } from "../../vm/isa/csr_names.ts";

Deno.test("csr fields: every CSR with fields is a CSR, and no two of its fields overlap", () => {
  for (const [name, fields] of Object.entries(csrFields)) {
    assert(csrNumber(name) !== undefined, name);
    for (const xlen of [32, 64] as const) {
      let taken = 0n;
      for (const { at, width = 1, xlen: only } of fields) {
        if (only !== undefined && only !== xlen) continue;
        const mask = ((1n << BigInt(width)) - 1n) << BigInt(at);
        assertEquals(taken & mask, 0n, `${name} at ${at}`);
        assert(at + width <= xlen, `${name} at ${at} beyond XLEN ${xlen}`);
        taken |= mask;
      }
    }
  }
});

Deno.test("csr text: values by the drawings of the privileged specification", () => {
  // After Debian's OpenSBI enters its payload, and what riscv-tests write.
  assertEquals(csrText("mstatus", 0x8000000a00006800n, 64), "SPP=U|MPP=S|FS=dirty|UXL=64|SXL=64|SD");
  assertEquals(csrText("mstatus", 0x00001888n, 32), "MIE|MPIE|SPP=U|MPP=M|FS=off");
  assertEquals(csrText("sstatus", 0x200000122n, 64), "SIE|SPIE|SPP=S|FS=off|UXL=64");
  assertEquals(csrText("mstatus", 0x1000n, 32), "SPP=U|MPP=0x2|FS=off");
  assertEquals(csrText("mie", 0xaaan, 64), "SSIE|MSIE|STIE|MTIE|SEIE|MEIE");
  assertEquals(csrText("mip", 0n, 64), "");
  assertEquals(csrText("mcause", 0x8000000000000007n, 64), "machine timer interrupt");
  assertEquals(csrText("mcause", 0x80000007n, 32), "machine timer interrupt");
  assertEquals(csrText("scause", 13n, 64), "load page fault");
  assertEquals(csrText("mcause", 30n, 64), "exception 30");
  assertEquals(csrText("mcause", (1n << 63n) | 20n, 64), "interrupt 20");
  assertEquals(csrText("mtvec", 0x80000101n, 64), "MODE=vectored");
  assertEquals(csrText("satp", 8n << 60n, 64), "MODE=Sv39");
  assertEquals(csrText("satp", 1n << 31n, 32), "MODE=Sv32");
  assertEquals(csrText("mscratch", 5n, 64), "");
});
