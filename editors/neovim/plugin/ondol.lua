-- Defines the :Ondol command and the <Plug> mappings. Starts nothing and maps no key; setup{} does that (:help ondol).
-- This file must load on unsupported Neovim versions, so it uses no function newer than 0.7.
if vim.g.loaded_ondol then
  return
end
vim.g.loaded_ondol = 1

if vim.fn.has('nvim-0.10') == 0 then
  vim.api.nvim_create_user_command('Ondol', function()
    require('ondol').too_old()
  end, { nargs = '*', desc = 'Ondol needs a newer Neovim' })
  return
end

vim.api.nvim_create_user_command('Ondol', function(call)
  require('ondol.commands').run(call.fargs)
end, {
  nargs = '*',
  desc = 'Ondol: code completion from your own repository',
  complete = function(lead, line)
    return require('ondol.commands').complete(lead, line)
  end,
})

for name, action in pairs({
  accept = 'accept',
  ['accept-word'] = 'accept_word',
  ['accept-line'] = 'accept_line',
  dismiss = 'dismiss',
  next = 'next',
  previous = 'previous',
  trigger = 'trigger',
}) do
  vim.keymap.set('i', '<Plug>(ondol-' .. name .. ')', function()
    require('ondol')[action]()
  end, { desc = 'Ondol: ' .. name:gsub('-', ' ') })
end
vim.keymap.set({ 'n', 'i' }, '<Plug>(OndolNextEdit)', function()
  if not require('ondol').next_edit() then
    require('ondol.next_edit').trigger()
  end
end, { desc = 'Ondol: go to the next edit, then apply it' })
vim.keymap.set({ 'n', 'i' }, '<Plug>(OndolEditDismiss)', function()
  require('ondol').edit_dismiss()
end, { desc = 'Ondol: refuse the next edit' })
vim.keymap.set({ 'n', 'i' }, '<Plug>(ondol-toggle)', function()
  require('ondol').toggle()
end, { desc = 'Ondol: switch suggestions on or off' })
