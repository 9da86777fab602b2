# guest.S: the guests of the conformance tests: code in flat segments, each copied to 0x1000 and begun there.
# Ports: 0x10 to 0x1e are recorded, 0x1f ends the guest. 0x3000 on is data. 0xd0000000 is a device.

        .macro  guest name
        .globl  guest_\name, guest_\name\()_end
guest_\name:
        .endm
        .macro  end name
        out     %al, $0x1f
1:      jmp     1b
guest_\name\()_end:
        .endm

        .section .rodata
        .code32

        guest   pio
        mov     $0x12, %al
        out     %al, $0x10
        mov     $0x3456, %ax
        out     %ax, $0x12
        mov     $0x789abcde, %eax
        out     %eax, $0x14
        in      $0x10, %al
        out     %al, $0x10
        in      $0x12, %ax
        out     %ax, $0x12
        in      $0x14, %eax
        out     %eax, $0x14
        mov     $0x3000, %esi
        mov     $4, %ecx
        mov     $0x10, %edx
        rep outsb
        mov     $0x3100, %edi
        mov     $3, %ecx
        mov     $0x12, %edx
        rep insw
        end     pio

        guest   mmio
        movl    $0x89abcdef, 0xd0000000
        movw    $0x4567, 0xd0000004
        movb    $0x23, 0xd0000007
        movl    0xd0000010, %eax
        movl    %eax, 0x3000
        movzwl  0xd0000014, %eax
        movl    %eax, 0x3004
        mov     $0xd0000020, %esi
        mov     $0x3008, %edi
        mov     $2, %ecx
        rep movsl
        addl    $1, 0xd0000030
        movl    $0x55555555, 0xe0000      # ROM
        movl    0xe0000, %eax
        movl    %eax, 0x3010
        end     mmio

        guest   spin
1:      incl    0x3000
        jmp     1b
        end     spin

        guest   triple_fault
        lidt    0x3000                  # a limit of 0
        ud2
        end     triple_fault

        guest   steps
        mov     $1, %eax                # 0x1000
        mov     $2, %ecx                # 0x1005
        mov     $3, %edx                # 0x100a
        add     %ecx, %eax              # 0x100f
        end     steps

        guest   writes
        movl    $1, 0x5000
        movl    $1, 0x7ffe              # into the next page
        incl    0x9000
        out     %al, $0x10
        movl    $1, 0xb000
        end     writes

        # With interrupts: in real mode, segments of 4 GiB, since a KVM in software emulates no IRET elsewhere.
        .code16

        # Counts interrupts at 0x3200 until there are as many as 0x3204 says.
        guest   interrupts
        mov     $0xfee000b0, %ebx
        movl    $0x1ff, 0x40(%ebx)      # SVR
        out     %al, $0x10
        sti
1:      hlt
        movl    0x3200, %eax
        cmpl    0x3204, %eax
        jb      1b
        cli
        end     interrupts

        guest   handler_apic
        incl    0x3200
        movl    $0, (%ebx)          # EOI
        iret
        end     handler_apic

        guest   handler_pic
        incl    0x3200
        iret
        end     handler_pic

        guest   timer
        mov     $0xfee000b0, %ebx
        movl    $0x1ff, 0x40(%ebx)
        movl    $0x40040, 0x270(%ebx)   # LVT timer: vector 0x40, TSC deadline
        mfence
        rdtsc
        add     $1000000, %eax
        adc     $0, %edx
        mov     $0x6e0, %ecx
        wrmsr
        sti
1:      hlt
        cmpl    $1, 0x3200
        jb      1b
        cli
        end     timer

        .section .note.GNU-stack, "", @progbits
