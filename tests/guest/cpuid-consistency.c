/*
 * cpuid-consistency.c: CPUID tells one story: its ranges hold, its features imply what they need and match
 * the machine.
 *
 * SDM 2A "CPUID", 1 20, APM 3 E. Kernels derive code paths from it; a feature that is told of and not there
 * is #UD.
 */
#include "frame.h"

static bool printable(uint32_t v)
{
    for (unsigned i = 0; i < 4; i++, v >>= 8)
        if ((v & 0xff) < 0x20 || (v & 0xff) > 0x7e)
            return false;
    return true;
}

/* Told of a set, everything in the other set is told of too. */
static void implies(bool a, bool b, const char *what)
{
    if (a && !b) {
        print("CPUID: %s\n", what);
        CHECK(false);
    }
}

int main(void)
{
    struct cpuid l0 = cpuid(0, 0), l1 = cpuid(1, 0), l7 = {0, 0, 0, 0}, e0 = cpuid(0x80000000, 0),
                 e1 = cpuid(0x80000001, 0), e8 = cpuid(0x80000008, 0);

    CHECK(l0.eax >= 1 && l0.eax < 0x100);
    CHECK(e0.eax >= 0x80000008 && e0.eax < 0x80000100);
    CHECK(printable(l0.ebx) && printable(l0.ecx) && printable(l0.edx));
    if (l0.eax >= 7)
        l7 = cpuid(7, 0);

    /* 64-bit mode needs these; no 64-bit kernel asks. FPU TSC MSR PAE CX8 APIC CMOV FXSR SSE SSE2; LM. */
    uint32_t base =
        1u << 0 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 8 | 1u << 9 | 1u << 15 | 1u << 24 | 1u << 25 | 1u << 26;
    CHECK_EQ(l1.edx & base, base);
    CHECK_EQ(e1.edx >> 29 & 1, 1);
    CHECK_EQ(e1.ecx & 1, 1); /* LAHF in 64-bit mode */
    if (cpu_is_amd()) {
        uint32_t same = 0x0183f3ff & ~(1u << 10 | 1u << 11);
        CHECK_EQ(e1.edx & same, l1.edx & same); /* AMD repeats leaf 1 there */
    }

    bool sse3 = l1.ecx & BIT(0), ssse3 = l1.ecx & BIT(9), sse41 = l1.ecx & BIT(19), sse42 = l1.ecx & BIT(20);
    bool xsave = l1.ecx & BIT(26), avx = l1.ecx & BIT(28), avx2 = l7.ebx & BIT(5), avx512f = l7.ebx & BIT(16);
    implies(ssse3, sse3, "SSSE3 without SSE3");
    implies(sse41, ssse3, "SSE4.1 without SSSE3");
    implies(sse42, sse41, "SSE4.2 without SSE4.1");
    implies(avx, xsave && sse42, "AVX without XSAVE or SSE4.2");
    implies(avx2, avx, "AVX2 without AVX");
    implies(l1.ecx & BIT(12), avx, "FMA without AVX");
    implies(l1.ecx & BIT(29), avx, "F16C without AVX");
    implies(avx512f, avx2, "AVX-512F without AVX2");
    implies(xsave, l0.eax >= 0xd, "XSAVE without leaf 0xd");
    implies(l7.ebx & BIT(10), l1.ecx & BIT(17), "INVPCID without PCID");
    implies(l1.ecx & BIT(24), l1.edx & BIT(9), "TSC deadline without APIC");
    implies(l7.ecx & BIT(16), e8.eax >> 8 & 0xff, "LA57 without an address width");

    unsigned phys = e8.eax & 0xff, linear = e8.eax >> 8 & 0xff;
    CHECK(phys >= 36 && phys <= 52);
    CHECK(linear == 48 || linear == 57);

    /* What follows the state of the machine. */
    CHECK_EQ(l1.ebx >> 24, apic_id());
    CHECK_EQ(l1.ecx & BIT(27), 0); /* OSXSAVE mirrors CR4 */
    if (xsave) {
        write_cr4(read_cr4() | CR4_OSXSAVE);
        CHECK_EQ(cpuid(1, 0).ecx & BIT(27), BIT(27));
        struct cpuid ld = cpuid(0xd, 0);
        CHECK_EQ(ld.eax & 3, 3);
        CHECK_EQ(!!(ld.eax & 4), avx);
        CHECK(ld.ecx >= 576);
        /* EBX is the size for what XCR0 has now. */
        asm volatile("xsetbv" ::"c"(0), "a"(1), "d"(0));
        CHECK_EQ(cpuid(0xd, 0).ebx, 576);
        asm volatile("xsetbv" ::"c"(0), "a"(ld.eax), "d"(ld.edx));
        CHECK_EQ(cpuid(0xd, 0).ebx, ld.ecx);
        if (avx) {
            struct cpuid y = cpuid(0xd, 2);
            CHECK_EQ(y.eax, 256);
            CHECK_EQ(y.ebx, 576);
        }
        asm volatile("xsetbv" ::"c"(0), "a"(1), "d"(0));
        CHECK_FAULT(TRY("xsetbv", : : "c"(0), "a"(2), "d"(0) : "memory"), GP, 0); /* x87 cannot go */
        CHECK_FAULT(TRY("xsetbv", : : "c"(0), "a"(5), "d"(0) : "memory"), GP, 0); /* AVX without SSE */
        CHECK_FAULT(TRY("xsetbv", : : "c"(1), "a"(1), "d"(0) : "memory"), GP, 0);
        write_cr4(read_cr4() & ~CR4_OSXSAVE);
        CHECK_FAULT(TRY("xgetbv", : : "c"(0) : "rax", "rdx", "memory"), UD, 0);
    }
    CHECK_EQ(l1.edx & BIT(9), BIT(9));
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) & ~APIC_BASE_ENABLE);
    CHECK_EQ(cpuid(1, 0).edx & BIT(9), 0); /* APIC mirrors IA32_APIC_BASE */

    /* Sub-leaves that are not there are zero; the brand string is text. */
    if (l0.eax >= 0xb) {
        struct cpuid b = cpuid(0xb, 0), end = cpuid(0xb, 5);
        CHECK(b.ecx == 0 || (b.ecx & 0xff) == 0);
        CHECK_EQ(end.eax | end.ebx, 0);
        CHECK_EQ(end.ecx & 0xff, 5);
    }
    if (e0.eax >= 0x80000004) {
        char brand[49];
        for (unsigned i = 0; i < 3; i++) {
            struct cpuid p = cpuid(0x80000002 + i, 0);
            memcpy(brand + i * 16, &p, 16);
        }
        brand[48] = 0;
        for (unsigned i = 0; i < 48 && brand[i]; i++)
            CHECK(brand[i] >= 0x20 && brand[i] < 0x7f);
        print("%s\n", brand);
    }
    /* Hypervisor present, and its leaves say who (Linux Documentation/virt/kvm/x86/cpuid.rst). */
    if (l1.ecx & BIT(31)) {
        struct cpuid h = cpuid(0x40000000, 0);
        CHECK(h.eax == 0 || h.eax >= 0x40000000);
        CHECK(h.eax < 0x40010000);
    }
    /* CPUID changes the four registers in full: upper halves become 0. */
    uint64_t rax = 0xffffffff00000000, rcx = 0xffffffff00000000, rbx, rdx;
    asm volatile("mov $-1, %%rbx; mov $-1, %%rdx; cpuid" : "+a"(rax), "=b"(rbx), "+c"(rcx), "=d"(rdx));
    CHECK_EQ((rax | rbx | rcx | rdx) >> 32, 0);
    CHECK_EQ(rbx, l0.ebx);
    return 0;
}
