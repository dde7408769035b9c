# A para-virtual guest of a few bytes: it writes a line into its console's ring, tells domain 0, waits until the line was
# taken, and switches itself off. Entered in 64-bit mode with the start information's address in rsi; the store's page and
# the console's page follow it (Xen, public/xen.h, "Start-of-day memory layout").
# Build: as --64 -o guest.o probe-guest.S && objcopy -O binary -j .text guest.o guest.bin

.set OUT, 1024                  # struct xencons_interface (public/io/console.h)
.set OUT_CONS, 3080
.set OUT_PROD, 3084
.set CONSOLE_EVTCHN, 80         # struct start_info, console.domU.evtchn
.set SCHED_OP, 29
.set EVENT_CHANNEL_OP, 32

    .text
    cld
    mov %rsi, %rbx
    lea 0x2000(%rbx), %rbp
    lea OUT(%rbp), %rdi
    lea text(%rip), %rsi
    mov $(end - text), %ecx
    rep movsb
    movl $(end - text), OUT_PROD(%rbp)
    mov $EVENT_CHANNEL_OP, %eax
    mov $4, %edi                # EVTCHNOP_send
    lea CONSOLE_EVTCHN(%rbx), %rsi
    syscall
wait:
    cmpl $(end - text), OUT_CONS(%rbp)
    je off
    mov $SCHED_OP, %eax
    xor %edi, %edi              # SCHEDOP_yield
    xor %esi, %esi
    syscall
    jmp wait
off:
    mov $SCHED_OP, %eax
    mov $2, %edi                # SCHEDOP_shutdown
    lea poweroff(%rip), %rsi
    syscall
    jmp off
poweroff:
    .long 0                     # SHUTDOWN_poweroff
text:
    .ascii "para-virtual guest ran\n"
end:
