# The first program of the probe: it writes its line by a system call of the guest's kernel and has it switch itself off.
# Assemble: as --64 -o init.o probe-init.S && ld -o init -N -s --build-id=none init.o
.globl _start
_start:
  movl $1, %eax
  movl $1, %edi
  leaq text(%rip), %rsi
  movl $(end - text), %edx
  syscall
  movl $169, %eax
  movl $0xfee1dead, %edi
  movl $672274793, %esi
  movl $0x4321fedc, %edx
  syscall
1: jmp 1b
text: .ascii "a program ran under User-Mode Linux\n"
end:
