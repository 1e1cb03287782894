"""Work that takes long, shown in the editor as LSP work-done progress: loading, adapting."""
